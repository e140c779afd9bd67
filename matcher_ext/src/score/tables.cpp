// Made by `python -m services.bench.calibration`, from minutiae of two extractors (LEADER, mindtct)
// on FVC2002 DB1_B and DB3_B, from the eyes of MMU v1, and from synthetic faces.
#include "llr_table.hpp"

namespace idmesh::matcher {

namespace {

constexpr LlrKnot kFinger[] = {
    {0.001966582F, -3.773F},
    {0.005741461F, -3.481F},
    {0.01133337F, -3.481F},
    {0.02280529F, -3.185F},
    {0.04793149F, -2.288F},
    {0.1373897F, 1.232F},
    {0.2289844F, 2.222F},
    {0.3564129F, 3.212F},
    {0.5080293F, 4.202F},
    {0.6581829F, 5.192F},
    {0.7821593F, 6.182F},
    {0.8700478F, 7.172F},
    {0.9258395F, 8.161F},
    {0.9588123F, 9.151F},
    {0.9774815F, 10.141F},
    {0.9877962F, 11.131F},
    {0.993418F, 12.121F},
    {0.9964594F, 13.111F},
    {0.9980981F, 14.101F},
    {0.9989791F, 15.091F},
    {0.9994523F, 16.081F},
    {0.9997062F, 17.071F},
    {0.9998424F, 18.061F},
    {0.9999155F, 19.050F},
    {0.9999547F, 20.040F},
    {0.9999757F, 21.030F},
    {0.999987F, 22.020F},
    {0.999993F, 23.010F},
    {0.9999963F, 24.000F},
};
constexpr LlrKnot kIris[] = {
    {0.5275528F, -2.977F},
    {0.5425178F, -2.977F},
    {0.5557065F, -2.928F},
    {0.5717247F, -2.928F},
    {0.5910411F, -1.773F},
    {0.6225031F, 1.341F},
    {0.6355654F, 2.329F},
    {0.6486276F, 3.317F},
    {0.6616898F, 4.305F},
    {0.6747521F, 5.294F},
    {0.6878143F, 6.282F},
    {0.7008766F, 7.270F},
    {0.7139388F, 8.258F},
    {0.7270011F, 9.247F},
    {0.7400633F, 10.235F},
    {0.7531255F, 11.223F},
    {0.7661878F, 12.211F},
    {0.77925F, 13.200F},
    {0.7923123F, 14.188F},
    {0.8053745F, 15.176F},
    {0.8184367F, 16.164F},
    {0.831499F, 17.153F},
    {0.8445612F, 18.141F},
    {0.8576235F, 19.129F},
    {0.8706857F, 20.117F},
    {0.883748F, 21.106F},
    {0.8968102F, 22.094F},
    {0.9098724F, 23.082F},
    {0.9229347F, 24.070F},
    {0.9359969F, 25.059F},
    {0.9490592F, 26.047F},
    {0.9621214F, 27.035F},
    {0.9751837F, 28.023F},
    {0.9882459F, 29.012F},
    {1.001308F, 30.000F},
};
constexpr LlrKnot kFace[] = {
    {0.0F, -4.000F},
    {0.1F, -3.900F},
    {0.2F, -2.500F},
    {0.3F, 1.000F},
    {0.4F, 6.000F},
    {0.6F, 14.000F},
    {0.8F, 20.000F},
};
constexpr RateKnot kFingerRates[] = {{1e-1, 0.0392}, {1e-2, 0.1192}, {1e-3, 0.2689},
                                     {1e-4, 0.5622}, {1e-6, 0.9241}, {1e-7, 0.97}};
constexpr RateKnot kIrisRates[] = {{1e-1, 0.582}, {1e-2, 0.61}, {1e-3, 0.637}, {1e-4, 0.662},
                                   {1e-7, 0.74}};
constexpr RateKnot kFaceRates[] = {{1e-1, 0.11}, {1e-2, 0.2}, {1e-3, 0.27}, {1e-4, 0.33},
                                   {1e-7, 0.46}};

}  // namespace

std::span<const LlrKnot> llr_table(Modality modality) noexcept {
    switch (modality) {
        case Modality::finger:
            return kFinger;
        case Modality::iris:
            return kIris;
        case Modality::face:
            break;
    }
    return kFace;
}

std::span<const RateKnot> fmr_table(Modality modality) noexcept {
    switch (modality) {
        case Modality::finger:
            return kFingerRates;
        case Modality::iris:
            return kIrisRates;
        case Modality::face:
            break;
    }
    return kFaceRates;
}

}  // namespace idmesh::matcher
