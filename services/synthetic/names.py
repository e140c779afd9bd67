"""Names and places in English, French and Arabic."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("eng", "fra", "ara")

FEMALE: Final = (
    ("Amina", "Amina", "أمينة"), ("Layla", "Leïla", "ليلى"), ("Sarah", "Sarah", "سارة"),
    ("Mary", "Marie", "ماري"), ("Fatima", "Fatima", "فاطمة"), ("Helen", "Hélène", "هيلين"),
    ("Nadia", "Nadia", "نادية"), ("Sophie", "Sophie", "صوفي"), ("Zainab", "Zeineb", "زينب"),
    ("Claire", "Claire", "كلير"), ("Yasmin", "Yasmine", "ياسمين"), ("Eve", "Ève", "إيف"),
    ("Khadija", "Khadija", "خديجة"), ("Julia", "Julie", "جوليا"), ("Salma", "Salma", "سلمى"),
    ("Rose", "Rose", "روز"), ("Huda", "Houda", "هدى"), ("Alice", "Alice", "أليس"),
    ("Rania", "Rania", "رانيا"), ("Denise", "Denise", "دينيز"), ("Iman", "Imane", "إيمان"),
    ("Monica", "Monique", "مونيكا"), ("Samira", "Samira", "سميرة"), ("Agnes", "Agnès", "أنييس"),
    ("Dina", "Dina", "دينا"), ("Louise", "Louise", "لويز"), ("Maryam", "Meryem", "مريم"),
    ("Beatrice", "Béatrice", "بياتريس"), ("Farida", "Farida", "فريدة"), ("Anne", "Anne", "آن"),
)  # fmt: skip

MALE: Final = (
    ("Omar", "Omar", "عمر"), ("Joseph", "Joseph", "يوسف"), ("Karim", "Karim", "كريم"),
    ("Peter", "Pierre", "بيير"), ("Hassan", "Hassan", "حسن"), ("Paul", "Paul", "بول"),
    ("Tariq", "Tarek", "طارق"), ("Anthony", "Antoine", "أنطوان"), ("Bilal", "Bilal", "بلال"),
    ("Stephen", "Étienne", "إتيان"), ("Rashid", "Rachid", "رشيد"), ("Henry", "Henri", "هنري"),
    ("Mustafa", "Moustapha", "مصطفى"), ("Luke", "Luc", "لوك"), ("Samir", "Samir", "سمير"),
    ("Michael", "Michel", "ميشيل"), ("Ibrahim", "Ibrahim", "إبراهيم"), ("Noel", "Noël", "نويل"),
    ("Adil", "Adel", "عادل"), ("George", "Georges", "جورج"), ("Nabil", "Nabil", "نبيل"),
    ("Francis", "François", "فرنسوا"), ("Walid", "Walid", "وليد"), ("Eric", "Éric", "إريك"),
    ("Yusuf", "Youssouf", "يوسف"), ("Simon", "Simon", "سيمون"), ("Jamal", "Djamel", "جمال"),
    ("Leo", "Léo", "ليو"), ("Khalid", "Khaled", "خالد"), ("Mark", "Marc", "مارك"),
)  # fmt: skip

FAMILY: Final = (
    ("Haddad", "Haddad", "حداد"), ("Martin", "Martin", "مارتان"), ("Mansour", "Mansour", "منصور"),
    ("Diallo", "Diallo", "ديالو"), ("Benali", "Ben Ali", "بن علي"), ("Moreau", "Moreau", "مورو"),
    ("Khoury", "Khoury", "خوري"), ("Traore", "Traoré", "تراوري"), ("Saleh", "Saleh", "صالح"),
    ("Lambert", "Lambert", "لامبير"), ("Najjar", "Najjar", "نجار"), ("Camara", "Camara", "كامارا"),
    ("Fernandez", "Fernandez", "فرنانديز"), ("Aziz", "Aziz", "عزيز"), ("Keita", "Keïta", "كيتا"),
    ("Rousseau", "Rousseau", "روسو"), ("Bakri", "Bakri", "بكري"), ("Nguema", "Nguema", "نغيما"),
    ("Sayegh", "Sayegh", "صايغ"), ("Fontaine", "Fontaine", "فونتين"), ("Toure", "Touré", "توري"),
    ("Amrani", "Amrani", "عمراني"), ("Girard", "Girard", "جيرار"), ("Qasim", "Kassem", "قاسم"),
    ("Okafor", "Okafor", "أوكافور"), ("Tazi", "Tazi", "تازي"), ("Mercier", "Mercier", "مرسييه"),
    ("Hamdan", "Hamdane", "حمدان"), ("Sow", "Sow", "سو"), ("Barakat", "Barakat", "بركات"),
    ("Leroy", "Leroy", "لوروا"), ("Idrissi", "Idrissi", "إدريسي"),
    ("Coulibaly", "Coulibaly", "كوليبالي"),
    ("Zaki", "Zaki", "زكي"), ("Bonnet", "Bonnet", "بونيه"), ("Shahin", "Chahine", "شاهين"),
    ("Ndiaye", "N'Diaye", "ندياي"), ("Farah", "Farah", "فرح"),
    ("Chevalier", "Chevalier", "شوفالييه"),
    ("Sabbagh", "Sabbagh", "صباغ"),
)  # fmt: skip

STREETS: Final = (
    ("Harbour Street", "rue du Port", "شارع الميناء"),
    ("Market Street", "rue du Marché", "شارع السوق"),
    ("Garden Road", "avenue des Jardins", "طريق الحدائق"),
    ("School Lane", "chemin de l'École", "زقاق المدرسة"),
    ("Olive Avenue", "avenue des Oliviers", "جادة الزيتون"),
    ("River Road", "quai de la Rivière", "طريق النهر"),
    ("Mill Street", "rue du Moulin", "شارع الطاحونة"),
    ("Palm Square", "place des Palmiers", "ساحة النخيل"),
)

# Region, province, city and zone, each in three languages; then the postal code's first digits.
PLACES: Final = (
    ((("North", "Nord", "الشمال"), ("Coast", "Littoral", "الساحل"),
      ("Port Amal", "Port-Amal", "مرفأ الأمل"),
      ("Old Town", "Vieille Ville", "المدينة القديمة")), "10"),
    ((("North", "Nord", "الشمال"), ("Hills", "Collines", "التلال"),
      ("Greenfield", "Vertchamp", "الحقل الأخضر"), ("Station", "Gare", "المحطة")), "14"),
    ((("Centre", "Centre", "الوسط"), ("Capital", "Capitale", "العاصمة"),
      ("Newhaven", "Neufhavre", "الملاذ الجديد"), ("River Bank", "Rive", "الضفة")), "20"),
    ((("Centre", "Centre", "الوسط"), ("Plain", "Plaine", "السهل"),
      ("Goldenvale", "Valdor", "الوادي الذهبي"), ("Market", "Marché", "السوق")), "27"),
    ((("South", "Sud", "الجنوب"), ("Oasis", "Oasis", "الواحة"),
      ("Palmgrove", "Palmeraie", "بستان النخيل"), ("Spring", "Source", "النبع")), "33"),
    ((("South", "Sud", "الجنوب"), ("Border", "Frontière", "الحدود"),
      ("Stonegate", "Portepierre", "باب الحجر"), ("Fort", "Fort", "الحصن")), "38"),
)  # fmt: skip

GENDERS: Final = {
    "FEMALE": ("Female", "Féminin", "أنثى"),
    "MALE": ("Male", "Masculin", "ذكر"),
}
RESIDENT: Final = ("Resident", "Résident", "مقيم")
